"""Training networks of the zoo and of the user: data, recipes, loop, records."""

#: The data sets that --data takes.
DATASETS = ("cifar10", "cifar100", "mnist", "fashion-mnist", "digits", "imagenet:DIR")
