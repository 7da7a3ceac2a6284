verify _no_manifest.mlpackage --against _no_manifest.mlpackage
