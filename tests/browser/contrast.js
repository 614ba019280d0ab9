/* Every visible text whose contrast with what lies behind it is below WCAG AA: [text, colour, ground, ratio]. */
const parse = (text) => {
  const found = /rgba?\(([^)]+)\)/.exec(text);
  if (!found) return null;
  const [r, g, b, a = 1] = found[1].split(/[ ,/]+/).filter(Boolean).map(Number);
  return { r, g, b, a };
};
const over = (top, below) => {
  const mix = (x, y) => x * top.a + y * (1 - top.a);
  return { r: mix(top.r, below.r), g: mix(top.g, below.g), b: mix(top.b, below.b), a: 1 };
};
const luminance = ({ r, g, b }) => {
  const linear = (x) => ((x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
};
const canvas = parse(getComputedStyle(document.body).backgroundColor);
const ground = (element) => {
  const layers = [];
  for (let node = element; node; node = node.parentElement) {
    const colour = parse(getComputedStyle(node).backgroundColor);
    if (colour && colour.a > 0) layers.push(colour);
    if (colour && colour.a === 1) break;
  }
  return layers.reverse().reduce((below, top) => over(top, below), canvas?.a ? canvas : { r: 255, g: 255, b: 255, a: 1 });
};
const wrong = new Map();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || element.closest("script, style, title, desc")) continue;
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  if (box.width < 2 || box.height < 2 || element.closest(".hidden")) continue;
  const behind = ground(element);
  let colour = parse(element.closest("svg") && element.namespaceURI.endsWith("svg") ? style.fill : style.color);
  if (!colour) continue;
  let opacity = 1;
  for (let one = element; one; one = one.parentElement) opacity *= Number(getComputedStyle(one).opacity);
  colour = over({ ...colour, a: colour.a * opacity }, behind);
  const [light, dark] = [luminance(colour), luminance(behind)].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) {
    wrong.set(`${element.tagName} ${style.color} ${style.fill}`, [node.data.trim().slice(0, 40), element.tagName + "." + (element.getAttribute("class") ?? ""), ratio.toFixed(2)]);
  }
}
return [...wrong.values()];
