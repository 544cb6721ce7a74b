// Refreshes what is on the page, and asks before it acts. Text is only ever put in as text; markup comes from the
// console's own templates, which have escaped it.
"use strict";

const REFRESH_MS = 2000;
const TOKEN_KEY = "orderd-console-token";

// --- refreshing: every element marked data-live is replaced by its newer self ---

const toggle = document.getElementById("refresh");
let timer = 0;
let loading = false;

function live() {
  return toggle.getAttribute("aria-pressed") === "true" && !document.hidden;
}

function schedule() {
  clearTimeout(timer);
  if (live()) timer = setTimeout(refresh, REFRESH_MS);
}

async function refresh() {
  if (loading) return;
  loading = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!fresh.getElementById("banners")) throw new Error(`status ${answer.status}`);
    replaceLive(fresh);
  } catch (error) {
    showBanner("The console does not answer: " + error.message);
  } finally {
    loading = false;
    schedule();
  }
}

function replaceLive(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next || next.outerHTML === old.outerHTML) continue;
    // Whoever selects text or has something open there is not disturbed.
    const selection = getSelection();
    const selects = !selection.isCollapsed && old.contains(selection.anchorNode);
    if (selects || old.querySelector("details[open]")) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(document.adoptNode(next));
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

function showBanner(text) {
  const banner = document.createElement("div");
  banner.className = "banner bad";
  banner.textContent = text;
  document.getElementById("banners").replaceChildren(banner);
}

toggle.hidden = false;
toggle.addEventListener("click", () => {
  toggle.setAttribute("aria-pressed", String(toggle.getAttribute("aria-pressed") !== "true"));
  if (live()) refresh();
});
document.addEventListener("visibilitychange", () => (live() ? refresh() : clearTimeout(timer)));
schedule();

// --- charts: the values under the pointer ---

document.addEventListener("pointermove", (event) => {
  const svg = event.target.closest?.(".chart svg");
  for (const other of document.querySelectorAll(".chart svg")) if (other !== svg) point(other, -1);
  if (!svg) return;
  const box = svg.getBoundingClientRect();
  point(svg, Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1));
});

// Marks a moment of a chart, from 0 at the left to 1; -1 for none.
function point(svg, share) {
  const lines = [...svg.querySelectorAll("path.line")].map((line) => line.dataset.values.split(";"));
  const index = Math.round(share * (lines[0].length - 1));
  const cross = svg.querySelector(".cross");
  cross.setAttribute("y2", share < 0 ? 0 : svg.viewBox.baseVal.height);
  for (const end of ["x1", "x2"]) cross.setAttribute(end, Math.max(share, 0) * svg.viewBox.baseVal.width);
  const seconds = Math.round((1 - share) * svg.dataset.seconds);
  const ago = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const values = lines.map((line) => line[index] || "–").join(" and ");
  svg.parentElement.querySelector(".readout").textContent = share < 0 ? "" : `${ago} ago: ${values} ${svg.dataset.unit}`;
}

// --- acting: a dialog says what will happen, takes a reason and the token, and shows the daemon's answer ---

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// What a button or form asks for.
function wanted(source) {
  const body = JSON.parse(source.dataset.body || "{}");
  if (source instanceof HTMLFormElement) {
    for (const [name, value] of new FormData(source)) {
      const text = value.trim();
      if (text !== "") body[name] = name !== "sink" && /^[0-9]+$/.test(text) ? Number(text) : text;
    }
  }
  return { ...source.dataset, body, needsReason: "needsReason" in source.dataset };
}

function openDialog(action) {
  const stored = sessionStorage.getItem(TOKEN_KEY) || "";
  const reason = element("input", { id: "reason", maxLength: 500, autocomplete: "off", required: action.needsReason });
  const token = element("input", { id: "token", type: "password", value: stored, autocomplete: "off", required: true });
  const output = element("pre", { hidden: true });
  output.setAttribute("role", "status");
  const cancel = element("button", { type: "button", textContent: "Close" });
  const preview = element("button", { textContent: "Preview", value: "preview", hidden: action.preview !== "dry_run" });
  const act = element("button", { textContent: "Do it", value: "act", className: "main" });
  const form = element("form", {},
    element("h2", { textContent: action.title, id: "dialog-title" }),
    element("p", { textContent: action.text || "" }),
    element("label", { htmlFor: "reason", textContent: action.needsReason ? "Reason" : "Reason (optional)" }), reason,
    element("label", { htmlFor: "token", textContent: "Token, kept for this tab" }), token,
    output,
    element("div", { className: "row" }, cancel, preview, act));
  const dialog = element("dialog", {}, form);
  dialog.setAttribute("aria-labelledby", "dialog-title");
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const dry = event.submitter?.value === "preview";
    const body = { ...action.body, ...(dry ? { dry_run: true } : {}) };
    if (reason.value.trim() !== "") body.reason = reason.value.trim();
    act.disabled = preview.disabled = true;
    const done = await send(action.path, body, token.value.trim(), output, dry);
    preview.disabled = done && !dry;
    act.disabled = done && !dry;
    if (done) sessionStorage.setItem(TOKEN_KEY, token.value.trim());
    if (done && !dry) refresh();
  });
  document.body.append(dialog);
  dialog.showModal();
  (stored === "" ? token : reason).focus();
  if (action.lane) showLane(action.lane, output);
}

async function send(path, body, token, output, dry) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    const result = await answer.json();
    if (!answer.ok) throw new Error(result.error?.message || `status ${answer.status}`);
    show(output, (dry ? "Would take: " : "Done. ") + members(result), false);
    return true;
  } catch (error) {
    show(output, error.message, true);
    return false;
  }
}

// What waits in a lane, before one of its events is passed over.
async function showLane(path, output) {
  try {
    const answer = await fetch(path);
    const result = await answer.json();
    if (!answer.ok) throw new Error(result.error?.message || `status ${answer.status}`);
    const events = result.events || [];
    const line = (event) => [Number(event.sequence), event.type, event.id].filter((part) => part !== undefined).join("  ");
    show(output, ["Waiting in this lane, the first is passed over:", ...events.map(line)].join("\n"), false);
  } catch (error) {
    show(output, error.message, true);
  }
}

function members(result) {
  const known = Object.entries(result).filter(([, value]) => value !== null);
  return known.map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join(", ");
}

function show(output, text, bad) {
  output.hidden = false;
  output.className = bad ? "bad" : "";
  output.textContent = text;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-path]");
  if (button) openDialog(wanted(button));
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-path]")) return;
  event.preventDefault();
  openDialog(wanted(event.target));
});
