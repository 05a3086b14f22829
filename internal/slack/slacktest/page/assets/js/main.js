// main.js starts the page.
import { api } from "./api.js";
import { App } from "./app.js";
import { h } from "./dom.js";

const root = document.getElementById("app");
const workspace = await api.workspace();
if (workspace.users) {
  new App(workspace, root).start();
} else {
  root.append(h("p", { class: "no-workspace", role: "alert" }, "The workspace did not answer. Is it still running? Then reload this page."));
}
