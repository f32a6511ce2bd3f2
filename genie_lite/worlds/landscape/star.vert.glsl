in vec4 in_star;              // direction and brightness
out vec3 v_colour;

void main() {
    gl_Position = (u_camera * vec4(in_star.xyz, 0.0)).xyww;
    vec3 behind = sky_colour(in_star.xyz);
    v_colour = mix(behind, vec3(0.95, 0.97, 1.0), in_star.w * u_night * u_clear);
}
