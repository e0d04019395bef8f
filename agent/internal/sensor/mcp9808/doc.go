// Package mcp9808 reads Microchip's MCP9808 thermometer.
//
// Nothing is kept, so nothing can be lost here.
package mcp9808
