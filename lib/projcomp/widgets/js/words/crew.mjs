// The workers that draw: brought up when they are asked for, and told what to draw.

import { normals } from "../maths/sampling.mjs";
import { work } from "./worker.mjs";

const MOST = 4; // workers: each has a runtime of its own
const FILES = ["runtime", "model"];

export class Crew {
  /** told: hears {job, level, ...} of some pictures, and {error}. */
  constructor(told) {
    Object.assign(this, { told, workers: [], number: 0 });
  }

  /** How many of `count` pictures each draws: as many workers as there are cores. */
  static shares(count) {
    const size = Math.max(1, Math.min(MOST, count, navigator.hardwareConcurrency || 2));
    const places = Array.from({ length: count }, (_, place) => place);
    return Array.from({ length: size }, (_, k) => places.filter((place) => place % size === k));
  }

  /** Fetch the files (what hands them over is `files`) and start the workers; an Error if that fails. */
  async load(files, count, progress) {
    const found = {};
    for (const name of FILES) {
      progress(name);
      Object.assign(found, await files(name));
    }
    progress("start");
    const text = URL.createObjectURL(new Blob([`(${work})(${normals})`], { type: "text/javascript" }));
    try {
      this.shares = Crew.shares(count);
      await Promise.all(this.shares.map(() => this.start(text, found)));
    } catch (error) {
      this.end();
      throw error;
    } finally {
      URL.revokeObjectURL(text);
    }
  }

  start(text, files) {
    return new Promise((done, fail) => {
      const worker = new Worker(text);
      this.workers.push(worker);
      worker.onerror = (event) => fail(new Error(event.message || "a worker can't be started"));
      worker.onmessage = ({ data }) => {
        if (data.ready) {
          worker.onmessage = (event) => this.told(event.data);
          done();
        } else fail(new Error(data.error));
      };
      worker.postMessage({ files });
    });
  }

  /** Draw, and leave what was begun; its number. */
  draw(job) {
    this.number += 1;
    this.workers.forEach((worker, k) => worker.postMessage({ job: { ...job, number: this.number, pictures: this.shares[k] } }));
    return this.number;
  }

  stop() {
    this.number += 1;
    for (const worker of this.workers) worker.postMessage({ stop: this.number });
  }

  end() {
    for (const worker of this.workers) worker.terminate();
    this.workers = [];
  }
}

/** What hands a figure its files: the page, or in a notebook the kernel. */
export function filesOf(model) {
  return (name) => (model.files ? model.files(name) : fromKernel(model, name));
}

function fromKernel(model, name) {
  return new Promise((done, fail) => {
    const hear = (message, buffers) => {
      if (message.of !== name) return;
      model.off("msg:custom", hear);
      if (message.error) fail(new Error(message.error));
      else done(Object.fromEntries(message.files.map((file, i) => [file, bytes(buffers[i])])));
    };
    model.on("msg:custom", hear);
    model.send({ files: name });
  });
}

/** A buffer's own bytes. */
function bytes(view) {
  return view instanceof ArrayBuffer ? view : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
}
