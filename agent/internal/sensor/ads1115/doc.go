// Package ads1115 reads Texas Instruments' ADS1115, a converter of four voltages.
//
// Nothing is kept, so nothing can be lost here.
package ads1115
