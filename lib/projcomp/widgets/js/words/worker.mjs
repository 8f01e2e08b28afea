// What draws the pictures, beside the page: a worker made of the text of this function, which must
// therefore name nothing from outside of it but its argument.

/** normals: the figures' generator. Told {files}, it loads; told {job}, it draws, level by level. */
export function work(normals) {
  const STREAMS = 32; // of a seed, as projcomp.widgets.normals
  let session = null;
  let judge = null;
  let latest = 0; // the job that is wanted; an earlier one stops

  onmessage = async ({ data }) => {
    try {
      if (data.files) await load(data.files);
      else if (data.job) {
        latest = data.job.number;
        await draw(data.job);
      } else latest = data.stop;
    } catch (error) {
      postMessage({ error: String(error?.message ?? error), job: data.job?.number });
    }
  };

  const open = (bytes) => new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  const url = async (bytes) => URL.createObjectURL(new Blob([await open(bytes).arrayBuffer()], { type: "text/javascript" }));

  async function load(files) {
    importScripts(await url(files["ort.wasm.min.js"]));
    const { env, InferenceSession } = self.ort;
    env.logLevel = "error";
    env.wasm.numThreads = 1;
    env.wasm.wasmPaths = { mjs: await url(files["ort-wasm-simd-threaded.mjs"]) };
    env.wasm.wasmBinary = await open(files["ort-wasm-simd-threaded.wasm"]).arrayBuffer();
    const start = async (part) => {
      const [graph, data] = await Promise.all(["graph", "weights"].map((what) => open(files[`${part}.${what}`]).arrayBuffer()));
      return InferenceSession.create(new Uint8Array(graph), { externalData: [{ path: "weights", data: new Uint8Array(data) }] });
    };
    session = await start("draw");
    judge = await start("judge");
    postMessage({ ready: true });
  }

  /** What the judge answers of pictures. */
  async function verdict(x, count, side) {
    const { places, whole } = await judge.run({
      pictures: new self.ort.Tensor("float32", Float32Array.from(x), [count, 3, side, side]),
    });
    return { places: places.data, whole: whole.data };
  }

  /** Some of a seed's pictures on their way down the levels. */
  async function draw(job) {
    const { levels, method, pictures, network } = job;
    const n = 3 * network.side ** 2;
    const sources = pictures.map((place) => normals(STREAMS * job.seed + place));
    const x = new Float64Array(pictures.length * n);
    const noise = (make) => sources.forEach((normal, p) => {
      for (let i = p * n; i < (p + 1) * n; i++) x[i] = make(i, normal());
    });
    noise((_, z) => 0.5 + levels[0] * z);
    const gained = new Float64Array(x.length / 3);
    let seen = await look(job, x, levels[0]);
    tell(job, 0, x, seen.mean, gained);
    for (let s = 1; s < levels.length; s++) {
      await new Promise((done) => setTimeout(done)); // hear whether another job is wanted
      if (job.number !== latest) return;
      const [high, low] = [levels[s - 1], levels[s]];
      const share = (low / high) ** (method === "sde" ? 2 : 1);
      x.forEach((value, i) => (x[i] = seen.mean[i] + share * (value - seen.mean[i])));
      if (method === "sde") noise((i, z) => x[i] + low * Math.sqrt(1 - share) * z);
      const before = seen.rate;
      const there = low ? (seen = await look(job, x, low)).rate : null;
      const step = low ? Math.log(high / low) : 1;
      gained.forEach((_, i) => (gained[i] += step * (before[i] + (there ? there[i] : 0))));
      if (job.number !== latest) return;
      const ends = low ? null : await verdict(x, pictures.length, network.side);
      tell(job, s, x, seen.mean, gained, ends);
    }
  }

  /** The composed mean of every picture, and sigma^2 times its interaction at every pixel. */
  async function look({ terms, weights, network }, x, sigma) {
    const { data, centre, side } = network;
    const n = 3 * side * side;
    const count = x.length / n;
    const total = Math.hypot(sigma, data);
    const [keep, out] = [(data / total) ** 2, sigma * (data / total)];
    const inputs = new Float32Array(terms.length * x.length);
    terms.forEach((_, t) => x.forEach((value, i) => (inputs[t * x.length + i] = (value - centre) / total)));
    const tokens = BigInt64Array.from(terms.flatMap((row) => Array(count).fill(row).flat()), BigInt);
    const { Tensor } = self.ort;
    const { answer } = await session.run({
      inputs: new Tensor("float32", inputs, [terms.length * count, n]),
      noise: new Tensor("float32", [0.25 * Math.log(sigma)], [1]),
      tokens: new Tensor("int64", tokens, [terms.length * count, terms[0].length]),
    });
    const mean = new Float64Array(x.length);
    const rate = new Float64Array(x.length / 3);
    const pixels = side * side;
    const deltas = new Float64Array(weights.length);
    for (let i = 0; i < x.length; i++) {
      const base = answer.data[i];
      let all = base;
      for (let t = 0; t < deltas.length; t++) {
        deltas[t] = answer.data[(t + 1) * x.length + i] - base;
        all += weights[t] * deltas[t];
      }
      mean[i] = centre + keep * (x[i] - centre) + out * all;
      let [sum, so] = [0, 0]; // by pairs, as projcomp.composition
      for (let t = 0; t < deltas.length; t++) {
        sum += weights[t] * deltas[t] * (so + 0.5 * (weights[t] - 1) * deltas[t]);
        so += weights[t] * deltas[t];
      }
      rate[Math.floor(i / n) * pixels + (i % pixels)] += (out / sigma) ** 2 * sum;
    }
    return { mean, rate };
  }

  function tell({ number, pictures }, level, x, mean, gained, ends) {
    const [a, b, c] = [x, mean, gained].map((values) => Float32Array.from(values));
    postMessage({ job: number, pictures, level, states: a, means: b, gained: c, ...ends }, [a.buffer, b.buffer, c.buffer]);
  }
}
