// blocks.js draws blocks, each by its type.
import { h, link } from "./dom.js";
import { icon } from "./icons.js";
import { element, notDrawn, picture } from "./elements.js";
import { filePreview } from "./files.js";
import { markdown } from "./markdown.js";
import { mrkdwn } from "./mrkdwn.js";
import { richText } from "./richtext.js";
import { plain } from "./tokens.js";

/** blocks draws a list of blocks on a surface. */
export function blocks(list, surface) {
  return h("div", { class: "blocks" }, list.map((block, index) => {
    const draw = BLOCKS[block.type];
    const node = draw ? draw(block, surface, block.block_id ?? `#${index}`) : notDrawn(block.type);
    node.classList.add("block");
    node.dataset.block = block.type;
    return node;
  }));
}

/** text draws a text object: mrkdwn or plain_text. */
export function text(object, ctx) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text, ctx, object.verbatim) : plain(object);
}

const BLOCKS = { header, section, context, divider, actions, rich_text, image, input, file, markdown: mark, table, data_table: table, video, alert };

function header(block) {
  return h("div", { class: "header", role: "heading", "aria-level": 3 }, plain(block.text));
}

function section(block, surface, id) {
  const body = h("div", { class: "section-body" },
    block.text ? h("div", { class: "text" }, text(block.text, surface.ctx)) : null,
    block.fields ? h("div", { class: "fields" }, block.fields.map((one) => h("div", { class: "text" }, text(one, surface.ctx)))) : null);
  return h("div", { class: "section" }, body,
    block.accessory ? h("div", { class: "accessory" }, element(block.accessory, id, surface)) : null);
}

function context(block, surface) {
  return h("div", { class: "context" }, block.elements.map((one) =>
    (one.type === "image" ? picture(one.image_url, one.alt_text, "context-image") : h("span", { class: "text" }, text(one, surface.ctx)))));
}

function divider() {
  return h("hr", { class: "divider" });
}

function actions(block, surface, id) {
  return h("div", { class: "actions" }, block.elements.map((one) => element(one, id, surface)));
}

function rich_text(block, surface) {
  return richText(block, surface.ctx);
}

function image(block) {
  return h("figure", { class: "image-block" },
    block.title ? h("figcaption", null, plain(block.title)) : null,
    picture(block.image_url ?? block.slack_file?.url, block.alt_text, "image"));
}

function input(block, surface, id) {
  const label = block.label.text;
  const node = h("div", { class: "input", data: { input: id } },
    h("div", { class: "input-label", "aria-hidden": "true" }, plain(block.label), block.optional ? h("span", { class: "optional" }, " (optional)") : null),
    element(block.element, id, surface, { label, dispatches: block.dispatch_action ?? false }));
  const trouble = surface.errors?.[id];
  if (trouble) node.append(h("div", { class: "input-error", role: "alert" }, icon("warning", 14), trouble));
  if (block.hint) node.append(h("div", { class: "input-hint" }, plain(block.hint)));
  return node;
}

function file(block, surface) {
  const known = surface.files.find((one) => one.external_id === block.external_id || one.id === block.external_id);
  return known ? filePreview(known, surface) : h("div", { class: "file-missing" }, icon("reply", 16), `Remote file ${block.external_id}`);
}

function mark(block) {
  return markdown(block.text);
}

// table draws table and data_table: the first row is the header, columns may be aligned and wrapped.
function table(block, surface) {
  const settings = block.column_settings ?? [];
  const cell = (tag) => (one, column) => {
    const node = h(tag, null, one.type === "rich_text" ? richText(one, surface.ctx) : String(one.text ?? one.value ?? ""));
    node.style.textAlign = settings[column]?.align ?? (one.type === "raw_number" ? "right" : "left");
    node.classList.toggle("wrapped", Boolean(settings[column]?.is_wrapped));
    return node;
  };
  const [head, ...rows] = block.rows;
  return h("div", { class: "table-scroll" }, h("table", { class: "table" },
    block.caption ? h("caption", null, block.caption) : null,
    h("thead", null, h("tr", null, head.map(cell("th")))),
    h("tbody", null, rows.map((row) => h("tr", null, row.map(cell("td")))))));
}

function video(block) {
  return h("div", { class: "video" },
    h("div", { class: "video-title" }, icon("play", 14), link(block.title_url ?? block.video_url, h("b", null, plain(block.title)))),
    block.description ? h("div", { class: "text" }, plain(block.description)) : null,
    h("div", { class: "video-note" }, [block.provider_name, block.author_name].filter(Boolean).join(" · "), " ", link(block.video_url, block.alt_text)));
}

function alert(block, surface) {
  const level = ["info", "warning", "error", "success"].includes(block.level) ? block.level : "default";
  return h("div", { class: `alert alert-${level}` }, icon(level === "success" ? "check" : level === "default" || level === "info" ? "info" : "warning", 18),
    h("span", { class: "text" }, text(block.text, surface.ctx)));
}
