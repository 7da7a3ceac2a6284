verify _network.mlmodel --against _relu.mlpackage
