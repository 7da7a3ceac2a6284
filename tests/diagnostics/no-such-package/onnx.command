verify _relu.mlpackage --against _none.onnx
