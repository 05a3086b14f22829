// icons.js draws the page's own line icons, on a 20 × 20 grid in the colour of the text around them.

const PATHS = {
  hash: "M8 3 6.5 17M13.5 3 12 17M3.5 7.5h14M2.5 12.5h14",
  down: "m5 7.5 5 5 5-5",
  back: "M12.5 4.5 7 10l5.5 5.5",
  right: "M7.5 4.5 13 10l-5.5 5.5",
  close: "m4.5 4.5 11 11m0-11-11 11",
  send: "M3 3.5 17.5 10 3 16.5l1.6-5.7L11 10 4.6 9.2z",
  search: "M9 3.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11Zm4 9.5 4 4",
  home: "M3 9.2 10 3l7 6.2V16a1 1 0 0 1-1 1h-3.5v-4.5h-5V17H4a1 1 0 0 1-1-1z",
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  dots: "M10 4.4v.2M10 9.9v.2M10 15.4v.2",
  ellipsis: "M4.9 10h.2M9.9 10h.2M14.9 10h.2",
  download: "M10 3v10m-4-4 4 4 4-4M4 16.5h12",
  eye: "M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5Zm8-2.2a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4Z",
  sun: "M10 6.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7ZM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1",
  moon: "M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5Z",
  reply: "M3 4.5h14v9.5H9.5L6 17v-3H3zM6.5 8h7M6.5 10.8h4.5",
  check: "m4 10.5 4 4 8-9",
  at: "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0Zm0-3v4.2a2 2 0 0 0 4 0V10a7 7 0 1 0-2.8 5.6",
  slash: "M4 3.5h12v13H4zM12 6.5l-4 7",
  bold: "M6 4h4.5a3 3 0 0 1 0 6H6zm0 6h5.3a3 3 0 0 1 0 6H6z",
  italic: "M8.5 4h5M6.5 16h5M11.5 4 8.5 16",
  strike: "M3 10h14M14 6.5C14 5 12.200 4 10 4S6 5 6 6.800C6 8 7 9 8.500 9.500M6 13.500C6 15 7.800 16 10 16s4-1 4-2.700c0-.8-.3-1.500-1-2.100",
  code: "m7 5.500-4.500 4.500L7 14.500m6-9 4.500 4.500-4.500 4.500",
  fence: "M3 4h14v12H3zM8 7.500 5.700 10 8 12.500M12 7.500l2.300 2.500L12 12.500",
  quote: "M3.500 4v12M7 6h10M7 10h10M7 14h6",
  warning: "M10 3 18 16.500H2zM10 8v4M10 14.300v.2",
  info: "M10 2.800a7.200 7.200 0 1 1 0 14.400 7.200 7.200 0 0 1 0-14.400ZM10 9.200v4.300M10 6.500v.2",
  play: "M6 4v12l10-6z",
};

const SVG = "http://www.w3.org/2000/svg";

/** icon draws one icon. It is decoration: the name of what it stands on is given there. */
export function icon(name, size = 18) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 20 20", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": name === "dots" || name === "ellipsis" ? 2.6 : 1.5,
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", class: "icon",
  })) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
