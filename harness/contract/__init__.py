"""What crosses the wall between harness and submission: manifest, task, predictions, status."""
