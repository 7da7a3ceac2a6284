verify _text.onnx --against _relu.mlpackage
