verify _network.mlpackage --against _relu.mlpackage
