"""The skill atlas of a task: how wrong each method has been, by how new the question was."""
