"""What stands in the napari window; the only folder that knows napari and Qt."""
