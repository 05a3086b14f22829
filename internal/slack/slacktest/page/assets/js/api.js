// api.js talks to the workspace's users' side. Every answer is an object with `ok`; a server that cannot be reached
// is an answer too.

const UNREACHABLE = { ok: false, error: "unreachable" };

async function ask(path, options) {
  try {
    const response = await fetch(path, options);
    return await response.json();
  } catch {
    return UNREACHABLE;
  }
}

function post(path, body) {
  return ask(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export const api = {
  workspace: () => ask("/user/workspace"),
  messages: (user, channel, thread) =>
    ask("/user/messages?" + new URLSearchParams(thread ? { user, channel, thread } : { user, channel })),
  view: (user) => ask("/user/view?" + new URLSearchParams({ user })),
  command: (body) => post("/user/command", body),
  click: (body) => post("/user/click", body),
  submit: (body) => post("/user/submit", body),
  close: (body) => post("/user/close", body),
  message: (body) => post("/user/message", body),

  /**
   * listen calls nudge(event) whenever something may have changed, and state(true|false) as the line opens and breaks.
   * EventSource dials again by itself; what was missed meanwhile is covered by a nudge on every opening.
   */
  listen(nudge, state) {
    const source = new EventSource("/user/events");
    source.onopen = () => {
      state(true);
      nudge({ type: "all" });
    };
    source.onerror = () => state(false);
    source.onmessage = (event) => nudge(JSON.parse(event.data));
    return source;
  },
};
