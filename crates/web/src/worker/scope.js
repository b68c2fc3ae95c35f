// What the worker needs from its global scope. Bound by scope.rs.

const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => waiting.shift()?.();

/** Comes back after the messages that have already arrived were handled. */
export function turn() {
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(null);
  });
}

/** Comes back after so many milliseconds. */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends `message`, JSON text, with the buffer of `bytes` transferred beside it. */
export function post(message, bytes) {
  if (bytes) self.postMessage({ message, bytes: bytes.buffer }, [bytes.buffer]);
  else self.postMessage({ message });
}

/** Calls `handler(message, bytes)` for every message from now on. */
export function listen(handler) {
  self.onmessage = ({ data }) => handler(data.message, data.bytes && new Uint8Array(data.bytes));
}

// An allocation that fails ends the program in a trap, without the panic hook and, inside a promise, without the page
// hearing of it. The text is protocol.rs's FromWorker::Failed.
function report(problem) {
  const isTrap = problem instanceof WebAssembly.RuntimeError || problem instanceof RangeError;
  const failure = isTrap
    ? {
        what: `The worker's program was stopped by the browser (${problem.message}), most likely because memory ran out.`,
        advice: "Close other pages and try again, or use a smaller scan.",
      }
    : {
        what: `The worker failed: ${problem?.message ?? problem}`,
        advice: "Try again; if it happens again, choose the CPU under “Compute on”.",
      };
  post(JSON.stringify({ kind: "failed", job: null, failure: { ...failure, isFatal: true } }));
}

self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  report(event.reason);
});
self.addEventListener("error", (event) => {
  event.preventDefault();
  report(event.error ?? event.message);
});

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render/i;

/** What WebGPU offers here; `problem` says why it offers nothing. */
export async function findAdapter() {
  if (!navigator.gpu) return { problem: "This browser offers no WebGPU." };
  let adapter;
  try {
    adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    return { problem: `The browser's WebGPU failed: ${error.message}.` };
  }
  if (!adapter) return { problem: "The browser's WebGPU found no graphics adapter." };
  const info = adapter.info ?? {};
  const words = [info.vendor, info.architecture, info.device, info.description].filter(Boolean);
  const name = [...new Set(words)].join(" ") || "unnamed";
  return {
    name,
    isSoftware: Boolean(info.isFallbackAdapter ?? adapter.isFallbackAdapter) || SOFTWARE.test(name),
    hasTimestamps: adapter.features.has("timestamp-query"),
  };
}
