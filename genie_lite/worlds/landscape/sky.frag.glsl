in vec3 v_dir;
out vec4 f_colour;

void main() {
    vec3 dir = normalize(v_dir);
    vec3 colour = sky_colour(dir);
    float sun = smoothstep(0.9978, 0.9984, dot(dir, u_sun_dir));
    float moon = smoothstep(0.9981, 0.9986, dot(dir, u_moon_dir)) * u_night;
    float dark_side = smoothstep(0.9984, 0.9978, dot(dir, normalize(u_moon_dir + vec3(0.03, 0.012, 0.02))));
    colour = mix(colour, mix(vec3(1.0, 0.97, 0.86), u_glow, 0.25) * 1.05, sun * u_clear);
    colour = mix(colour, vec3(0.93, 0.95, 1.0), moon * u_clear * (0.12 + 0.88 * dark_side));
    f_colour = vec4(colour, 1.0);
}
