// dialogs.js asks before a dangerous press counts: Slack's confirm object.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { text } from "./blocks.js";

/** confirm shows a confirm object and resolves to whether the person agreed. */
export function confirm(object, ctx) {
  return new Promise((resolve) => {
    const danger = object.style === "danger";
    let agreed = false;
    const answer = (yes) => () => {
      agreed = yes;
      dialog.close();
    };
    const dialog = h("dialog", { class: "dialog confirm", role: "alertdialog", "aria-label": object.title?.text ?? "Are you sure?" },
      h("div", { class: "dialog-head" }, h("h2", null, text(object.title, ctx)),
        h("button", { class: "icon-btn", type: "button", "aria-label": "Close", onclick: answer(false) }, icon("close"))),
      h("div", { class: "dialog-body text" }, text(object.text, ctx)),
      h("div", { class: "dialog-foot" },
        h("button", { class: "btn big", type: "button", onclick: answer(false) }, text(object.deny, ctx).length === 0 ? "Cancel" : text(object.deny, ctx)),
        h("button", { class: `btn big ${danger ? "danger" : "primary"}`, type: "button", autofocus: true, onclick: answer(true) },
          object.confirm ? text(object.confirm, ctx) : "Yes")));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(agreed);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
