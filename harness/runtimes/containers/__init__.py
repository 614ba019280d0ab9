"""What container runtimes share: inside places, hardened options, engines, endings, images."""
