// What the report's own scripts use of the libraries, as one global.
import { graphlib, layout } from "@dagrejs/dagre";
import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import uPlot from "uplot";

globalThis.libraries = { graphlib, layout, select, zoom, zoomIdentity, uPlot };
