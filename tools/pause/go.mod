// What holds the namespaces of a pod in tests/cluster, in place of an image of a registry that is not at hand.
module slipway.invalid/tools/pause

go 1.26

tool slipway.invalid/tools/pause
