verify _odd.mlpackage --against _relu.mlpackage
