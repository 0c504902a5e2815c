"""What models of images share: bases, losses, networks' set-up."""
