// Shows the words that a chart's marks carry for screen readers to those who point at them, too.
"use strict";
(function () {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true");
  tip.hidden = true;
  document.body.append(tip);

  function show(event) {
    const mark = event.target.closest('.chart svg [role="graphics-symbol"][aria-label]');
    if (!mark || mark.getAttribute("aria-roledescription") === "axis") {
      tip.hidden = true;
      return;
    }
    tip.textContent = mark.getAttribute("aria-label");
    tip.hidden = false;
    const left = Math.min(event.pageX + 12, window.scrollX + document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = Math.max(0, left) + "px";
    tip.style.top = event.pageY + 14 + "px";
  }

  document.addEventListener("pointermove", show, { passive: true });
  document.addEventListener("pointerdown", show, { passive: true });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") tip.hidden = true;
  });
})();
