// shell.js draws what stands around the messages: the bars, the channels, who the reader is, the columns.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { openMenu } from "./menu.js";

const ROLES = {
  responder: "responder · may diagnose", approver: "approver · may apply", member: "no role", none: "no role", guest: "guest",
};

/** roleName says what a role may do. */
export const roleName = (role) => ROLES[role] ?? role ?? "";

/** topBar is the strip with the search and the theme's switch. */
export function topBar(app) {
  const search = h("input", { class: "search-box", type: "search", "aria-label": "Search this channel", placeholder: `Search ${app.workspaceName}`, oninput: (event) => app.filter(event.target.value) });
  const dark = app.theme === "dark";
  return h("header", { class: "top-bar" },
    h("div", { class: "search" }, icon("search", 16), search),
    h("button", { class: "icon-btn top-theme", type: "button", "aria-label": dark ? "Use the light theme" : "Use the dark theme", onclick: () => app.toggleTheme() }, icon(dark ? "sun" : "moon")));
}

/** rail is the narrow column with the workspace's sign and the reader's face. */
export function rail(app) {
  return h("nav", { class: "rail", "aria-label": "Workspace" },
    h("div", { class: "rail-sign", "aria-hidden": "true" }, app.workspaceName[0].toUpperCase()),
    h("button", { class: "rail-item active", type: "button", onclick: () => app.openChannel(app.channel) }, h("span", { class: "rail-icon" }, icon("home", 20)), "Home"),
    h("span", { class: "spacer" }),
    h("button", { class: "rail-me", type: "button", "aria-label": `You are ${app.directory.userName(app.user)}. Be someone else`, "aria-haspopup": "menu", onclick: (event) => switcher(app, event.currentTarget) },
      app.directory.face(app.user, 36), h("span", { class: "presence" })));
}

/** sidebar lists the channels and the app, and says who the reader is. */
export function sidebar(app) {
  const { directory } = app;
  const me = directory.users.get(app.user);
  return h("aside", { class: "sidebar" },
    h("div", { class: "team" }, h("span", { class: "team-name" }, app.workspaceName)),
    h("div", { class: "channels" },
      h("div", { class: "side-title" }, icon("down", 14), "Channels"),
      directory.workspace.channels.map((channel) => h("button", {
        class: `side-item${app.unread.has(channel.id) ? " unread" : ""}`, type: "button", "aria-label": channel.name,
        "aria-current": channel.id === app.channel ? "page" : null, onclick: () => app.openChannel(channel.id),
      }, icon("hash", 16), h("span", null, channel.name))),
      h("div", { class: "side-title" }, icon("down", 14), "Apps"),
      h("div", { class: "side-item still" }, directory.face(directory.bot.user_id, 20), h("span", null, directory.bot.name))),
    h("button", { class: "me", type: "button", "aria-label": `Switch user, now ${directory.userName(app.user)}`, "aria-haspopup": "menu", onclick: (event) => switcher(app, event.currentTarget) },
      directory.face(app.user, 28),
      h("span", { class: "me-label" }, h("b", null, directory.userName(app.user)), h("span", null, roleName(me?.role))), icon("down", 16)));
}

// switcher offers the people of the workspace: the page is every one of them in turn.
function switcher(app, anchor) {
  openMenu(anchor, {
    role: "menu",
    name: "Be someone else",
    items: app.directory.workspace.users.map((user) => ({
      value: user.id, name: app.directory.userName(user.id), label: [app.directory.userName(user.id)], note: [roleName(user.role)],
      selected: user.id === app.user, face: app.directory.face(user.id, 28),
    })),
    pick: (item) => app.become(item.value),
  });
}

/** channelHead is the strip over a channel's messages. */
export function channelHead(app) {
  const { directory } = app;
  const channel = directory.channels.get(app.channel);
  const faces = [...directory.workspace.users.slice(0, 3).map((user) => user.id), ...(channel?.bot_member ? [directory.bot.user_id] : [])];
  return h("div", { class: "channel-head" },
    h("button", { class: "icon-btn only-phone", type: "button", "aria-label": "Back to channels", onclick: () => app.showChannels() }, icon("back", 20)),
    h("h1", null, icon("hash", 18), directory.channelName(app.channel)),
    channel?.topic ? h("span", { class: "topic" }, channel.topic) : h("span", { class: "topic" }),
    h("span", { class: "members", "aria-label": `${directory.users.size + (channel?.bot_member ? 1 : 0)} members` },
      faces.map((id) => directory.face(id, 22)), h("span", null, String(directory.users.size + (channel?.bot_member ? 1 : 0)))));
}

/** threadHead is the strip over a thread. */
export function threadHead(app) {
  return h("div", { class: "channel-head" },
    h("h1", null, "Thread"), h("span", { class: "topic" }, `# ${app.directory.channelName(app.channel)}`),
    h("button", { class: "icon-btn", type: "button", "aria-label": "Close thread", onclick: () => app.openThread(null) }, icon("close")));
}

/** welcome opens a channel's history. */
export function welcome(app) {
  const channel = app.directory.channels.get(app.channel);
  return [h("h2", null, icon("hash", 28), app.directory.channelName(app.channel)),
    h("p", null, `This is the very beginning of the #${app.directory.channelName(app.channel)} channel.`,
      channel?.bot_member === false ? ` ${app.directory.bot.name} is not a member of it.` : "")];
}
