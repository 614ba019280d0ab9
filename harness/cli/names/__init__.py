"""What a word on the command line means, and which words there are to complete it: one file per noun."""
