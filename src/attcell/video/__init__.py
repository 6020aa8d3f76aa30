"""From a video to the inputs of a network: decoding, sampling, transforms, flow."""
