// A network in ONNX, run by ONNX Runtime Web, which the page hands over: the build that suits its device.

/** @import { Network, Tensor } from "./types.d.ts" */
/** @import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-web" */
/** @typedef {Pick<typeof import("onnxruntime-web"), "InferenceSession" | "Tensor">} Runtime */

/**
 * Load a network.
 * @param {Runtime} runtime
 * @param {Uint8Array} bytes of `model.onnx`
 * @param {InferenceSession.SessionOptions} [options] as the device that runs it
 * @returns {Promise<Network>}
 */
export async function openNetwork(runtime, bytes, options = {}) {
  const session = await runtime.InferenceSession.create(bytes, options);
  const [input] = session.inputMetadata;
  const sides = input.isTensor ? input.shape.slice(2) : [];
  return {
    takesAnySize: sides.length === 2 && sides.every((side) => typeof side === "string"),
    async run({ data, dims }) {
      const results = await session.run({ [input.name]: new runtime.Tensor("float32", data, dims) });
      return session.outputNames.map((name) => plain(results[name]));
    },
  };
}

/**
 * @param {OnnxTensor} tensor of 32-bit floats
 * @returns {Tensor}
 */
function plain({ data, dims }) {
  if (!(data instanceof Float32Array)) throw new Error("The network does not answer in 32-bit floats.");
  return { data, dims };
}
