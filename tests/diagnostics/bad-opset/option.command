build _tiny.yaml -t onnx --opset 17
