// files.js shows a message's files: the first lines of a text, the rest on demand, and a download.
import { h } from "./dom.js";
import { icon } from "./icons.js";

const PREVIEW_LINES = 5;

/** filePreview draws one file. Whether it is unfolded is remembered over redraws. */
export function filePreview(file, surface) {
  const name = file.title || file.name;
  const head = h("div", { class: "file-head" },
    h("span", { class: "file-icon", "aria-hidden": "true" }, (file.filetype || "file").slice(0, 4)),
    h("span", { class: "file-name" }, h("b", null, name), h("span", { class: "file-note" }, [file.name !== name ? file.name : null, size(file.size)].filter(Boolean).join(" · "))),
    h("button", { class: "icon-btn", type: "button", "aria-label": `Download ${file.name}`, title: "Download", onclick: () => download(file) }, icon("download")));
  const box = h("div", { class: "file" }, head);
  if (isImage(file)) {
    box.append(h("img", { class: "image", src: `data:${file.mimetype};base64,${file.content}`, alt: file.alt_txt || name }));
    return box;
  }
  if (typeof file.content !== "string" || file.content === "") return box;
  const lines = file.content.replace(/\n$/, "").split("\n");
  const key = `${surface.key}|file|${file.id}`;
  const code = h("pre", { class: "file-text" });
  const toggle = h("button", { class: "file-toggle", type: "button" });
  const draw = () => {
    const open = surface.values.get(key) === true;
    code.replaceChildren(...(open ? lines : lines.slice(0, PREVIEW_LINES)).map((line, at) =>
      h("span", { class: "file-line" }, h("span", { class: "file-number", "data-number": at + 1 }), h("span", null, line + "\n"))));
    code.classList.toggle("folded", !open && lines.length > PREVIEW_LINES);
    toggle.textContent = open ? "Collapse" : `Expand to see all ${lines.length} lines`;
    toggle.setAttribute("aria-expanded", String(open));
    toggle.setAttribute("aria-label", `${open ? "Collapse" : "Expand"} ${name}`);
  };
  toggle.addEventListener("click", () => {
    surface.values.set(key, surface.values.get(key) !== true);
    draw();
  });
  draw();
  box.append(code);
  if (lines.length > PREVIEW_LINES) box.append(toggle);
  return box;
}

// Only formats without scripts of their own are shown as pictures.
const isImage = (file) => /^image\/(png|jpeg|gif|webp)$/.test(file.mimetype ?? "") && /^[A-Za-z0-9+/=\s]+$/.test(file.content ?? "");

function download(file) {
  const content = isImage(file) ? Uint8Array.from(atob(file.content), (byte) => byte.charCodeAt(0)) : file.content ?? "";
  const url = URL.createObjectURL(new Blob([content], { type: isImage(file) ? file.mimetype : "text/plain" }));
  h("a", { href: url, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60e3);
}

function size(bytes) {
  if (!Number.isFinite(bytes)) return null;
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1000).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
