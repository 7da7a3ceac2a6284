build _large.yaml -t onnx
