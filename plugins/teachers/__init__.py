"""Teachers: trained here, pretrained elsewhere, or a user's own checkpoint."""
