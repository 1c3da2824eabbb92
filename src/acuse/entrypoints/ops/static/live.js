// Keeps the page as it is on the server: it is fetched again every two seconds, and what has changed is changed here.
// Nodes that have not changed stay, and with them the focus, what is selected, and what is unfolded.
"use strict";

(() => {
  const EVERY = 2000;
  const PATIENCE = 10000;
  const MOST_DOUBLINGS = 3;
  const main = document.querySelector("main[data-live]");
  const button = document.getElementById("pause");
  const lost = document.getElementById("lost");
  const unreached = document.getElementById("unreached")?.content.firstElementChild.cloneNode(true);
  if (!main) return;

  let isPaused = false;
  let isFetching = false;
  let failures = 0;
  let timer = 0;

  // A row must not slip away under the hand that is about to press its button.
  const isInUse = (node) => "still" in node.dataset && (node.matches(":hover") || node.contains(document.activeElement));

  const isSelected = (node) => {
    const selection = document.getSelection();
    return !selection.isCollapsed && selection.containsNode(node, true);
  };

  function become(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName) {
      old.replaceWith(document.importNode(fresh, true));
    } else if (old.nodeType !== Node.ELEMENT_NODE) {
      if (!isSelected(old)) old.data = fresh.data;
    } else if (!isInUse(old)) {
      const isOpen = old.nodeName === "DETAILS" && old.open;
      for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
      for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
      if (isOpen) old.open = true;
      const olds = [...old.childNodes];
      [...fresh.childNodes].forEach((child, place) => {
        if (place < olds.length) become(olds[place], child);
        else old.append(document.importNode(child, true));
      });
      olds.slice(fresh.childNodes.length).forEach((child) => child.remove());
    }
  }

  function show(fresh) {
    const news = fresh.querySelector("main");
    if (!news) throw new Error("this is no page of ours");
    const isOver = !("live" in news.dataset);
    for (const id of ["main", "moment"]) become(document.getElementById(id), fresh.getElementById(id));
    document.title = fresh.title;
    if (isOver) button.hidden = isPaused = true;
  }

  // That all is well may be said for as long as it is known.
  function doubt() {
    if (!unreached) return;
    document.querySelector("[data-part=verdict]").replaceWith(unreached.cloneNode(true));
    document.title = "Connection lost · acuse";
  }

  async function refresh() {
    if (isFetching) return;
    isFetching = true;
    try {
      const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!response.ok) throw new Error(response.statusText);
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!isPaused) show(page);
      failures = 0;
    } catch {
      failures += 1;
    }
    const isLost = failures > 0 && !isPaused;
    if (isLost && lost.hidden) doubt();
    lost.hidden = !isLost;
    isFetching = false;
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (!isPaused && !document.hidden) timer = setTimeout(refresh, EVERY * 2 ** Math.min(failures, MOST_DOUBLINGS));
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? "Resume" : "Pause";
    if (isPaused) plan();
    else refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (unreached && document.hidden && !isPaused) document.title = "acuse";
    if (document.hidden || isPaused) plan();
    else refresh();
  });
  plan();
})();
