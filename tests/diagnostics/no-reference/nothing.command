verify _relu.mlpackage
