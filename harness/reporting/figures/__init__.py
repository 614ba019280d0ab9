"""Pictures as inline SVG: pure functions of numbers."""
