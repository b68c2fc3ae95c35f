// Put before a worker's own script: how long each of its compute kernels takes, by the device's clock. While it is on, each dispatch
// is a pass of its own with a time stamp at its begin and end. The page asks over a channel: see gpuClock in page_side.mjs.
{
  /** So many dispatches of one command encoder are timed. */
  const MOST = 2048;
  const channel = new BroadcastChannel("gpu-clock");
  const names = new WeakMap();
  const devices = new WeakMap();
  const stamps = new WeakMap();
  let isOn = false;
  let kernels = new Map();
  let underWay = [];

  const wrap = (type, method, made) => {
    const original = type.prototype[method];
    type.prototype[method] = made((self, ...rest) => original.apply(self, rest));
  };
  const nameOf = ({ label, compute }) => label || compute.module.label || compute.entryPoint || "nameless";

  wrap(GPUAdapter, "requestDevice", (original) =>
    function (descriptor = {}) {
      const features = this.features.has("timestamp-query") ? ["timestamp-query"] : [];
      return original(this, { ...descriptor, requiredFeatures: [...(descriptor.requiredFeatures ?? []), ...features] });
    },
  );
  wrap(GPUDevice, "createComputePipeline", (original) =>
    function (descriptor) {
      const pipeline = original(this, descriptor);
      names.set(pipeline, nameOf(descriptor));
      return pipeline;
    },
  );
  wrap(GPUDevice, "createComputePipelineAsync", (original) =>
    async function (descriptor) {
      const pipeline = await original(this, descriptor);
      names.set(pipeline, nameOf(descriptor));
      return pipeline;
    },
  );
  wrap(GPUDevice, "createCommandEncoder", (original) =>
    function (descriptor) {
      const encoder = original(this, descriptor);
      devices.set(encoder, this);
      return encoder;
    },
  );

  /** A pass whose dispatches are passes. */
  class Apart {
    constructor(begin, encoder) {
      Object.assign(this, { begin, encoder, groups: new Map() });
    }
    setPipeline(pipeline) {
      this.pipeline = pipeline;
    }
    setBindGroup(index, ...rest) {
      this.groups.set(index, rest);
    }
    dispatchWorkgroups(...count) {
      this.each((pass) => pass.dispatchWorkgroups(...count));
    }
    dispatchWorkgroupsIndirect(...place) {
      this.each((pass) => pass.dispatchWorkgroupsIndirect(...place));
    }
    pushDebugGroup() {}
    popDebugGroup() {}
    insertDebugMarker() {}
    end() {}
    each(dispatch) {
      const device = devices.get(this.encoder);
      const stamp = stamps.get(this.encoder) ?? { of: [], querySet: device.createQuerySet({ type: "timestamp", count: 2 * MOST }) };
      stamps.set(this.encoder, stamp);
      const at = 2 * stamp.of.length;
      const timestampWrites = at < 2 * MOST ? { querySet: stamp.querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 } : undefined;
      if (timestampWrites) stamp.of.push(names.get(this.pipeline) ?? "nameless");
      const pass = this.begin(this.encoder, { timestampWrites });
      pass.setPipeline(this.pipeline);
      for (const [index, rest] of this.groups) pass.setBindGroup(index, ...rest);
      dispatch(pass);
      pass.end();
    }
  }
  wrap(GPUCommandEncoder, "beginComputePass", (original) =>
    function (descriptor) {
      const canTell = isOn && devices.get(this)?.features.has("timestamp-query");
      return canTell ? new Apart(original, this) : original(this, descriptor);
    },
  );
  wrap(GPUCommandEncoder, "finish", (original) =>
    function (descriptor) {
      const stamp = stamps.get(this);
      if (!stamp) return original(this, descriptor);
      const device = devices.get(this);
      const size = 16 * stamp.of.length;
      const resolved = device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
      const read = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
      this.resolveQuerySet(stamp.querySet, 0, 2 * stamp.of.length, resolved, 0);
      this.copyBufferToBuffer(resolved, 0, read, 0, size);
      const commands = original(this, descriptor);
      stamps.set(commands, { ...stamp, read });
      return commands;
    },
  );
  wrap(GPUQueue, "submit", (original) =>
    function (all) {
      original(this, all);
      for (const { of, read } of [...all].map((commands) => stamps.get(commands)).filter(Boolean)) {
        const told = read.mapAsync(GPUMapMode.READ).then(() => {
          const times = new BigUint64Array(read.getMappedRange());
          of.forEach((name, i) => {
            const kernel = kernels.get(name) ?? { count: 0, ms: 0 };
            kernels.set(name, { count: kernel.count + 1, ms: kernel.ms + Number(times[2 * i + 1] - times[2 * i]) / 1e6 });
          });
          read.destroy();
        });
        underWay.push(told);
      }
    },
  );

  channel.onmessage = async ({ data }) => {
    if (data === "on") {
      kernels = new Map();
      underWay = [];
      isOn = true;
      channel.postMessage("is on");
    }
    if (data === "off") {
      isOn = false;
      await Promise.all(underWay);
      channel.postMessage([...kernels].map(([name, kernel]) => ({ name, ...kernel })));
    }
  };
}
