/* How many elements the Tab key has to reach. */
const asked = "a[href], button, input, select, textarea, summary, [tabindex]";
return Array.from(document.querySelectorAll(asked)).filter((one) =>
  one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true })).length;
