"""The conformance suite: does a submission keep the contract? Shipped, so that anyone can ask before submitting."""
