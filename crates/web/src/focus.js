// Where the keyboard is when the control that had it can't have it any more. Bound by browser.rs.
//
// A button that is pressed may be disabled for as long as what it began takes, be hidden with its part of the page, or be gone. The
// browser then leaves the focus nowhere: keys scroll the page, and a screen reader begins at the top.

const NAMED = "[aria-label], [aria-labelledby]";

/** Whether an element is shown; older browsers do not say so themselves. */
const isShown = (element) => element.checkVisibility?.() ?? element.getClientRects().length > 0;

/** Whether an element can have the focus. */
const isAble = (element) => element.isConnected && !element.disabled && isShown(element);

/** Has an element that takes no keys have the focus until it goes elsewhere. */
function focusOn(place) {
  if (!place.hasAttribute("tabindex")) {
    place.tabIndex = -1;
    place.addEventListener("blur", () => place.removeAttribute("tabindex"), { once: true });
  }
  place.focus({ preventScroll: true });
}

/**
 * From now on the focus that is lost goes to the innermost named part of the page that the control was in, and back to the control once
 * it can have it again, unless the visitor has taken it elsewhere.
 */
export function keepFocus() {
  // What the visitor was at, with all that it was in.
  let path = [];
  // What could not have the focus any more, the last one last.
  let waiting = [];
  // The part of the page that has it in a control's place.
  let stand = null;

  const look = (changes) => {
    const { activeElement } = document;
    const isNowhere = activeElement === document.body || activeElement === null || !isAble(activeElement);
    if (!isNowhere && activeElement !== stand) return;
    waiting = waiting.filter((control) => control.isConnected);
    const [control] = path;
    if (isNowhere && control && !isAble(control)) {
      if (control.isConnected && !waiting.includes(control)) waiting.push(control);
      // What is shown in the place of a part that is hidden.
      const shown = changes.map(({ target }) => target).find((target) => target.matches?.(NAMED) && isShown(target));
      const isHidden = control.isConnected && !isShown(control);
      stand = (isHidden && shown) || path.slice(1).find((part) => part.matches(NAMED) && isAble(part)) || null;
    }
    const back = waiting.findLast(isAble);
    if (back) {
      waiting = waiting.filter((control) => control !== back);
      back.focus({ preventScroll: true });
    } else if (isNowhere && stand) focusOn(stand);
  };

  document.addEventListener("focusin", ({ target }) => {
    if (target === stand) return;
    stand = null;
    // Who has gone elsewhere comes back only with a part of the page that does.
    waiting = waiting.filter((control) => !isShown(control));
    path = [];
    for (let part = target; part && part !== document.body; part = part.parentElement) path.push(part);
  });
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    if (relatedTarget) return;
    // By then what was to be disabled or removed is. Who has pressed where nothing is has taken the focus away.
    queueMicrotask(() => {
      if (isAble(target) && document.activeElement === document.body && document.hasFocus()) [path, waiting, stand] = [[], [], null];
    });
  });
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributeFilter: ["disabled", "hidden", "open"] });
}
