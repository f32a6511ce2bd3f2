// Clouds stand on a sphere that moves with the eye; more of them grow as u_clouds rises.
in vec3 in_position, in_centre, in_normal;
in float in_rank;
out vec3 v_colour;

void main() {
    float size = smoothstep(0.0, 0.18, u_clouds * 1.18 - in_rank) * (0.75 + 0.6 * u_clouds);
    vec3 at = in_centre + in_position * size;
    gl_Position = (u_camera * vec4(at, 0.0)).xyww;
    vec3 dir = normalize(at);
    vec3 day = u_skylight * (1.0 + 0.28 * in_normal.z) + u_sun_colour * (0.3 + 0.55 * max(dot(in_normal, u_light_dir), 0.0));
    vec3 haze = sky_colour(dir);
    vec3 colour = mix(day * 1.12, u_glow, 0.25 * max(dot(dir, u_sun_dir), 0.0));
    v_colour = mix(haze, colour, (0.35 + 0.5 * smoothstep(0.05, 0.4, dir.z)) * (0.15 + 0.85 * u_clear));
}
