"""The plugin for napari: the manifest ``napari.yaml``, its widget and its sample data.

``import napari`` in these files is the viewer. Nothing here is imported unless napari, or ``varconvex annotate``, asks.
"""
