"""How wrong each method has been, by how novel the condition is."""
