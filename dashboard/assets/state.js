/* Keeps the link in step with the controls, and the colours with the theme. Sends nothing anywhere. */
window.dash_clientside = window.dash_clientside || {};
window.dash_clientside.costmodel = {
  write(...values) {
    const meta = values.pop();
    const query = new URLSearchParams();
    meta.keys.forEach((key, i) => {
      const value = values[i];
      const standard = meta.defaults[key];
      if (Array.isArray(standard)) (value || []).forEach((v) => query.append(key, v));
      else if (value !== null && value !== undefined && value !== standard && value !== "") query.append(key, value);
    });
    const text = query.toString();
    window.history.replaceState(window.history.state, "", window.location.pathname + (text ? "?" + text : ""));
    return text;
  },
  paint(theme) {
    const shell = document.getElementById("shell");
    if (shell) shell.dataset.theme = theme;
    document.documentElement.dataset.theme = theme;
    return theme;
  },
  copy() {
    const done = navigator.clipboard && navigator.clipboard.writeText(window.location.href);
    return done ? "copied" : window.location.href;
  },
};

/* The component for uploads hides an input without a name; readers need one. */
new MutationObserver(() => {
  const input = document.querySelector("#upload input[type=file]");
  if (input && !input.hasAttribute("aria-label")) input.setAttribute("aria-label", "target file (YAML)");
}).observe(document.documentElement, { childList: true, subtree: true });
