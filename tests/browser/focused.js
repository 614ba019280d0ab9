/* What has the focus: its place among all elements, what it is, and whether that can be seen. */
const one = document.activeElement;
if (!one || one === document.body) return null;
const style = getComputedStyle(one);
const box = one.getBoundingClientRect();
return {
  place: Array.from(document.querySelectorAll("*")).indexOf(one),
  name: `${one.tagName.toLowerCase()} ${(one.textContent || one.value || "").trim().slice(0, 40)}`,
  href: one.getAttribute("href"),
  outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
  shown: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
};
