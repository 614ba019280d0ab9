"""Regimes: one file each, found by file name.

A regime is `generate(dataset, *, seed, **params) -> Assignment`, whose typed keywords become options of
`harness splits create`, and `RULES`, the promises that are checked on its rows. A family of splits also has
`members(dataset)`: what distinguishes each member → its own parameters.
"""
