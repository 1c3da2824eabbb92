// Keeps the page as it is on the server: it is fetched again every two seconds, and what has changed is changed here.
// Nodes that have not changed stay, and with them the focus, what is selected, and what is unfolded.
"use strict";

(() => {
  const PAUSE = 2000;
  const LONGEST_PAUSE = 30000;
  const main = document.querySelector("main[data-live]");
  const button = document.getElementById("pause");
  const lost = document.getElementById("lost");
  if (!main) return;

  let paused = false;
  let failures = 0;
  let timer = 0;
  let fetching = null;

  const KEPT = { DETAILS: ["open"] };

  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(document.importNode(fresh, true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old.isEqualNode(fresh)) return;
    const kept = KEPT[old.nodeName] || [];
    for (const { name } of [...old.attributes])
      if (!fresh.hasAttribute(name) && !kept.includes(name)) old.removeAttribute(name);
    for (const { name, value } of [...fresh.attributes])
      if (old.getAttribute(name) !== value && !kept.includes(name)) old.setAttribute(name, value);
    const olds = [...old.childNodes];
    const freshes = [...fresh.childNodes];
    freshes.forEach((node, place) =>
      place < olds.length ? morph(olds[place], node) : old.append(document.importNode(node, true)));
    olds.slice(freshes.length).forEach((node) => node.remove());
  }

  function show(fresh) {
    const news = fresh.querySelector("main");
    if (!news) throw new Error("no page");
    for (const old of document.querySelectorAll("[data-part]")) {
      const found = fresh.querySelector(`[data-part="${old.dataset.part}"]`);
      if (found) morph(old, found);
    }
    document.title = fresh.title;
    if (!("live" in news.dataset)) stop();
  }

  async function refresh() {
    fetching = new AbortController();
    const patience = setTimeout(() => fetching.abort(), 10000);
    try {
      const response = await fetch(location.href, {
        cache: "no-store", credentials: "same-origin", signal: fetching.signal,
      });
      if (!response.ok) throw new Error(String(response.status));
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!paused) show(page);
      failures = 0;
      lost.hidden = true;
    } catch {
      if (!paused) {
        failures += 1;
        lost.hidden = false;
      }
    } finally {
      clearTimeout(patience);
      plan();
    }
  }

  function plan() {
    clearTimeout(timer);
    if (!paused && !document.hidden)
      timer = setTimeout(refresh, Math.min(PAUSE * 2 ** Math.min(failures, 4), LONGEST_PAUSE));
  }

  function stop() {
    paused = true;
    clearTimeout(timer);
    button.hidden = true;
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    document.body.classList.toggle("paused", paused);
    if (paused) clearTimeout(timer);
    else refresh();
  });
  document.addEventListener("visibilitychange", () => (document.hidden || paused ? clearTimeout(timer) : refresh()));
  plan();
})();
