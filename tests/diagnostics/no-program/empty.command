verify _empty.mlpackage --against _relu.mlpackage
