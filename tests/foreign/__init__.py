"""The same networks as other hands write them: nothing here imports the package.

Each module has ``FACTORIES``, from the name of the zoo's network to a function ``(classes=1000, small=False)`` that
builds the same network in that module's style; ``small`` gives the form for 32x32 images.
"""
