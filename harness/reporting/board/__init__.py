"""The published site: a page for each task, submission, dataset and metric, from sealed records alone."""
