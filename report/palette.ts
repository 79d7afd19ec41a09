// Colours of the report. Those of the arms are from Okabe and Ito (2008), which stay apart for every common form of
// colour blindness; the dark ones are lightened to keep a contrast of 3 : 1 and more on the dark ground.

export const palette = [
	{ light: '#0072b2', dark: '#5cb4ee' },
	{ light: '#c44f00', dark: '#ff9a5c' },
	{ light: '#00805c', dark: '#3ccfa2' },
	{ light: '#a8497f', dark: '#e795c3' },
	{ light: '#9a6a00', dark: '#f0bf4c' },
	{ light: '#5b5b9e', dark: '#aeaef2' },
] as const;

/** Ink of the light palette, as plots write it. */
export const inkColours = { ink: '#1c2127', soft: '#5a646f', line: '#dfe3e8' } as const;

export const darkInk = { ink: '#e8eaed', soft: '#a4adb8', line: '#333a42' } as const;
